"""Text that headbands write: Muse, Mind Monitor, OpenBCI, BrainBit."""
