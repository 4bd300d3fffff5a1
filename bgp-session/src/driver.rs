//! A chapter without code: the contract between the core and a driver, and examples of drivers.
#![doc = include_str!("../docs/driver.md")]
