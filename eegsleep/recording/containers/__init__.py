"""Containers that an extra package reads: XDF of LabRecorder (pyxdf), HDF5 of Dreem (h5py)."""
