"""stub"""

ENGINES = ()
