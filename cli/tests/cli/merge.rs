//! The merge driver.
