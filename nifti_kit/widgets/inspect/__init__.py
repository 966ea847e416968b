"""The app that shows a data set and what is wrong with it."""
