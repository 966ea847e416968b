"""The workbench: one data set from a folder to a proof."""
