//! The small binary (`--profile dist`) shares equal functions, where the linker that comes with the compiler can.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|v| v == value);
    // Only that profile optimises for size. From 1.90 on, lld is what links on this target.
    if is("OPT_LEVEL", "z") && is("TARGET", "x86_64-unknown-linux-gnu") && minor_version() >= 90 {
        println!("cargo::rustc-link-arg-bins=-Wl,--icf=all");
    }
}

/// Of the compiler; 0 where it cannot be told.
fn minor_version() -> u32 {
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = std::process::Command::new(compiler)
        .arg("--version")
        .output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let text = text.unwrap_or_default();
    text.split('.')
        .nth(1)
        .and_then(|minor| minor.parse().ok())
        .unwrap_or(0)
}
