"""The command line ``nifti-kit``: each command is one call of the library."""

from nifti_kit.commands.command_line import main

__all__ = ["main"]
