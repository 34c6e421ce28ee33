//! Types that hold a secret show only their name in `Debug`.

/// Implements `Debug` for types whose content must not be shown: `Password(***)`. Rows and messages
/// are printed with `{:?}` when something goes wrong; not even a hash belongs there.
macro_rules! redacted {
    ($($name:ident),* $(,)?) => {$(
        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(***)"))
            }
        }
    )*};
}

pub(crate) use redacted;
