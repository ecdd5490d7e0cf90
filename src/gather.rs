//! Maps and sets that are filled entry by entry.

/// [`Iterator::collect`] into a map or set of std sorts first, by a sort that is compiled anew for each iterator: four
/// kilobytes of program at each of some fifty places. What is gathered here is short.
pub trait Gather: Iterator + Sized {
    /// As `collect`: of equal keys the last value stands.
    fn gather<C: Default + Extend<Self::Item>>(self) -> C {
        let mut all = C::default();
        all.extend(self);
        all
    }
}

impl<I: Iterator> Gather for I {}
