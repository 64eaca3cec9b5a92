"""Class numbers, in the order of the labels of the model configurations."""

LABELS = ("road", "vehicle", "person", "vegetation", "building", "sky", "sign")
ROAD, VEHICLE, PERSON, VEGETATION, BUILDING, SKY, SIGN = range(7)
