"""A PNG, JPEG, TIFF or BMP file becomes a radiograph."""
