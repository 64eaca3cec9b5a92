"""Everything between files or cameras and arrays, and everything people look at. NumPy and Pillow only.

with RunWriter(folder, model) as writer:
    for name, picture in open_source("street.jpg"):
        resized = resize(picture, model.image_height, model.image_width)
        writer.write(name, session.run(resized.frame), resized)
"""
