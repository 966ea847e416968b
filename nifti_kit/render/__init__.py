"""The picture of a viewer: three linked planes through an image, drawn with numpy and Pillow.

Nothing here knows what a file, a plan or a notebook is. Label maps hold the numbers of classes;
slices, windows and colours are table look-ups, so that a picture takes a few milliseconds.
"""
