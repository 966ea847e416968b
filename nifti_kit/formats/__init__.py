"""One kind of file each: bytes to facts and back, nothing guessed."""
