"""A complete small accelerator through an open place-and-route flow: `make route`."""
