//! Whether a person sees where the focus is: by an outline, a shadow or a border that stands out from what is around it.

use serde_json::{Value, json};

use crate::browser::{Browser, Element};

/// Contrast of what shows the focus with what is around it, at least: success criterion 1.4.11 of the Web Content Accessibility
/// Guidelines 2.2 (and 2.4.13 for what it was before).
const CONTRAST_MIN: f64 = 3.0;

/// What may show that an element has the focus, as the browser computes it; what it stands on, the nearest first; and whether the
/// window shows all of it.
const LOOK: &str = "const [element] = arguments, style = getComputedStyle(element), box = element.getBoundingClientRect();
    const grounds = [];
    for (let at = element.parentElement; at; at = at.parentElement) grounds.push(getComputedStyle(at).backgroundColor);
    return {
        lines: ['outline', 'border-top', 'border-right', 'border-bottom', 'border-left'].map(name => style.getPropertyValue(name)),
        shadow: style.boxShadow,
        grounds,
        isOnScreen: box.width > 0 && box.height > 0 && box.top >= 0 && box.left >= 0 &&
            box.bottom <= document.documentElement.clientHeight && box.right <= document.documentElement.clientWidth,
    }";

/// A colour, as the browser tells it of an element in the end: red, green and blue from 0 to 255, and how opaque it is, from
/// 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Colour {
    channels: [f64; 3],
    opacity: f64,
}

impl Colour {
    /// The first colour in a value such as `rgba(0, 0, 0, 0.5) 0px 0px 0px 3px`.
    fn in_value(value: &str) -> Option<Self> {
        let (_, rest) = value.split_once("rgb")?;
        let (inside, _) = rest.trim_start_matches('a').trim_start_matches('(').split_once(')')?;
        let numbers: Vec<f64> = inside.split(',').filter_map(|number| number.trim().parse().ok()).collect();
        let [red, green, blue, opacity @ ..] = numbers.as_slice() else { return None };
        Some(Self { channels: [*red, *green, *blue], opacity: opacity.first().copied().unwrap_or(1.0) })
    }

    /// What one sees of it on that colour.
    fn on(self, below: Self) -> Self {
        let mix = |index: usize| self.channels[index] * self.opacity + below.channels[index] * (1.0 - self.opacity);
        Self { channels: [mix(0), mix(1), mix(2)], opacity: 1.0 }
    }

    /// Relative luminance, from 0 to 1, as the guidelines define it.
    fn luminance(self) -> f64 {
        let linear = self.channels.map(|channel| {
            let channel = channel / 255.0;
            if channel <= 0.04045 { channel / 12.92 } else { ((channel + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    }

    /// From 1, the same, to 21, black and white.
    fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }
}

/// The colour of an outline or border that is drawn, such as `3px solid rgb(0, 0, 0)`.
fn line(value: &str) -> Option<Colour> {
    let width = value.split_whitespace().find_map(|word| word.strip_suffix("px")?.parse::<f64>().ok());
    let is_drawn = width.is_some_and(|width| width >= 1.0) && !value.contains("none") && !value.contains("hidden");
    if is_drawn { Colour::in_value(value) } else { None }
}

/// How an element looks in one colour scheme.
#[derive(Debug)]
struct Marks {
    /// What may show the focus: outline, borders and shadow.
    drawn: Vec<Option<Colour>>,
    /// What the element stands on.
    ground: Colour,
    is_on_screen: bool,
}

impl Marks {
    fn new(found: &Value) -> Self {
        let texts = |name: &str| found[name].as_array().unwrap().iter().map(|text| text.as_str().unwrap());
        let paper = Colour { channels: [255.0; 3], opacity: 1.0 };
        Self {
            drawn: texts("lines").map(line).chain([Colour::in_value(found["shadow"].as_str().unwrap())]).collect(),
            ground: texts("grounds").rev().filter_map(Colour::in_value).fold(paper, |below, layer| layer.on(below)),
            is_on_screen: found["isOnScreen"].as_bool().unwrap(),
        }
    }

    /// Whether one of them stands out from the ground, and from what is in its place without the focus.
    fn stand_out(&self, without: &Self) -> bool {
        let ground = self.ground;
        let seen = |mark: Option<Colour>| mark.map_or(ground, |colour| colour.on(ground));
        self.drawn.iter().zip(&without.drawn).any(|(with, without)| {
            seen(*with).contrast(ground) >= CONTRAST_MIN && seen(*with).contrast(seen(*without)) >= CONTRAST_MIN
        })
    }
}

/// How one element looks, dark and light.
#[derive(Debug)]
pub(crate) struct Look([Marks; 2]);

impl Look {
    pub(crate) async fn of(browser: &Browser, element: &Element) -> Self {
        let dark = Self::in_scheme("dark", browser, element).await;
        Self([dark, Self::in_scheme("light", browser, element).await])
    }

    async fn in_scheme(scheme: &str, browser: &Browser, element: &Element) -> Marks {
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        browser.devtools("Emulation.setEmulatedMedia", json!({ "features": [feature] })).await;
        Marks::new(&browser.run_on(element, LOOK).await)
    }

    /// Whether a person sees that the element has the focus, given how it looks without.
    pub(crate) fn tells_from(&self, without: &Self) -> bool {
        self.0.iter().zip(&without.0).all(|(with, without)| with.is_on_screen && with.stand_out(without))
    }
}

#[test]
fn contrast_is_as_the_guidelines_define_it() {
    let colour = |value| Colour::in_value(value).unwrap();
    let white = colour("rgb(255, 255, 255)");
    assert!((colour("rgba(0, 0, 0, 1)").contrast(white) - 21.0).abs() < 0.001);
    // #767676 is the lightest grey that has 4.5 to 1 on white.
    assert!((colour("rgb(118, 118, 118) 0px 0px 3px").contrast(white) - 4.54).abs() < 0.01);
    assert!((colour("rgba(0, 0, 0, 0)").on(white).contrast(white) - 1.0).abs() < 0.001);
    assert_eq!(Colour::in_value("none"), None);
}
