"""The notebooks, as a package that `pynq get-notebooks` finds through the entry point `pynq.notebooks`."""
