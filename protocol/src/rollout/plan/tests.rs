//! The planner, row by row, and in a small world that fails wherever it can.

mod blue_green;
mod in_place;
mod interrupted;
mod laws;
mod property;
mod requests;
mod schedule;
mod world;
mod written;
