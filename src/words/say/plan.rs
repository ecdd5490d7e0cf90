//! Texts of plans and reviews.
