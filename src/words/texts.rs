//! How the texts of screens and commands are kept: a name, its values, the English.

use std::fmt::Display;

/// Texts by name. Without values: a constant. With values: a function that fills them in; a value that the text does
/// not show does not compile.
///
/// ```ignore
/// texts! {
///     /// The button that begins the writes.
///     APPLY = "Apply";
///     changes_applied(done: usize, all: usize) = "{done} of {all} changes applied";
/// }
/// ```
macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident $(($($value:ident: $kind:ty),+ $(,)?))? = $english:literal;)*) => {
        $($crate::words::texts::text! { $(#[$doc])* $name $(($($value: $kind),+))? = $english })*
    };
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident = $english:literal) => {
        $(#[$doc])*
        pub const $name: &str = match $crate::words::LANGUAGE {
            $crate::words::Language::English => $english,
            $crate::words::Language::Pseudo => concat!("‹", stringify!($name), "›"),
        };
    };
    ($(#[$doc:meta])* $name:ident($($value:ident: $kind:ty),+) = $english:literal) => {
        $(#[$doc])*
        pub fn $name($($value: $kind),+) -> String {
            match $crate::words::LANGUAGE {
                $crate::words::Language::English => format!($english, $($value = $value),+),
                $crate::words::Language::Pseudo => {
                    $crate::words::texts::pseudo(stringify!($name), &[$(&$value),+])
                }
            }
        }
    };
}

pub(crate) use {text, texts};

/// The name of a text and its values: `‹changes_applied› 3 7`.
pub fn pseudo(name: &str, values: &[&dyn Display]) -> String {
    values.iter().fold(format!("‹{name}›"), |text, value| {
        format!("{text} {value}")
    })
}
