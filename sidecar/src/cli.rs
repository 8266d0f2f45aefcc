//! The commands and flags of the program.
