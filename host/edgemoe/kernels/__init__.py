"""One kernel alone: its bench in a simulator, or one operation on every engine."""
