//! Pictures for the README, drawn from the real screens over the demo's cluster.
//! `cargo test --test all picture -- --ignored` writes them anew into assets/.

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};
use std::fmt::Write;

const CELL: (f32, f32) = (8.4, 18.0);

/// A terminal screen as SVG text.
pub fn svg(buffer: &Buffer) -> String {
    let (columns, rows) = (buffer.area.width, buffer.area.height);
    let (width, height) = (
        f32::from(columns) * CELL.0 + 16.0,
        f32::from(rows) * CELL.1 + 16.0,
    );
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         font-family=\"ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" font-size=\"14\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#14181f\"/>\n"
    );
    for y in 0..rows {
        let mut x = 0;
        while x < columns {
            let cell = &buffer[(x, y)];
            let start = x;
            let mut text = String::new();
            while x < columns && buffer[(x, y)].style() == cell.style() {
                text.push_str(buffer[(x, y)].symbol());
                x += 1;
            }
            let reversed = cell.modifier.contains(Modifier::REVERSED);
            let (mut ink, mut paper) = (color(cell.fg, "#d7dce4"), color(cell.bg, "#14181f"));
            if reversed {
                std::mem::swap(&mut ink, &mut paper);
            }
            let (left, top) = (f32::from(start) * CELL.0 + 8.0, f32::from(y) * CELL.1 + 8.0);
            let length = f32::from(x - start) * CELL.0;
            if paper != "#14181f" {
                let _ = writeln!(
                    out,
                    "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{length:.1}\" height=\"{}\" fill=\"{paper}\"/>",
                    CELL.1
                );
            }
            if text.trim().is_empty() {
                continue;
            }
            let weight = if cell.modifier.contains(Modifier::BOLD) {
                " font-weight=\"bold\""
            } else {
                ""
            };
            let opacity = if cell.modifier.contains(Modifier::DIM) {
                " opacity=\"0.6\""
            } else {
                ""
            };
            let text = text
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;");
            let _ = writeln!(
                out,
                "<text xml:space=\"preserve\" x=\"{left:.1}\" y=\"{:.1}\" textLength=\"{length:.1}\" \
                 lengthAdjust=\"spacingAndGlyphs\" fill=\"{ink}\"{weight}{opacity}>{text}</text>",
                top + 13.5
            );
        }
    }
    out.push_str("</svg>\n");
    out
}

fn color(color: Color, default: &'static str) -> &'static str {
    match color {
        Color::Black => "#14181f",
        Color::Red | Color::LightRed => "#f2777a",
        Color::Green | Color::LightGreen => "#8fd18f",
        Color::Yellow | Color::LightYellow => "#f0c674",
        Color::Blue | Color::LightBlue => "#7fb4f0",
        Color::Magenta | Color::LightMagenta => "#d39ae0",
        Color::Cyan | Color::LightCyan => "#6fd0d8",
        Color::Gray => "#b8c0cc",
        Color::DarkGray => "#7d8796",
        Color::White => "#ffffff",
        _ => default,
    }
}
