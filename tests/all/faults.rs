//! Faults at requests: no panic, no write without its line, no listener without its policies, words that name the
//! object and the next step; and afterwards the run can be gone on with or taken back.

mod forty;
mod ledger;
mod names;
mod program;
mod reading;
mod small;
