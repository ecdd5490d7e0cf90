//! Texts of what talks to the API server, and of records.
