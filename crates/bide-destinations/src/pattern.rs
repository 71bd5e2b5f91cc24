//! Which resource names an entry stands for.
//!
//! Owns the comparison: `*` stands for any characters but `/` and `:`, also for none; everything else for itself. Names
//! of queues, topics and buses hold neither, so a pattern reaches over no part that it does not show.

/// A resource name in which parts may be left open.
#[derive(Debug)]
pub(crate) struct Pattern(Vec<String>);

/// Most `*` in one pattern; bounds the work of comparing.
const STARS_MAX: usize = 8;

impl Pattern {
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        let parts: Vec<String> = text.split('*').map(str::to_owned).collect();
        if parts.len() > STARS_MAX + 1 {
            return Err(format!("it has more than {STARS_MAX} '*'"));
        }
        let example = text.replace('*', "1");
        match bide_engine::arn::parse(&example) {
            Ok(bide_engine::arn::DestinationArn::Resource(_)) => Ok(Self(parts)),
            Ok(bide_engine::arn::DestinationArn::Function(_)) => {
                Err("functions need no entry: they are invoked by this server".to_owned())
            }
            Err(error) => Err(error.to_string()),
        }
    }

    pub(crate) fn fits(&self, name: &str) -> bool {
        fits(&self.0, name)
    }
}

fn fits(parts: &[String], text: &str) -> bool {
    let Some((first, rest)) = parts.split_first() else { return false };
    let Some(text) = text.strip_prefix(first.as_str()) else { return false };
    if rest.is_empty() {
        return text.is_empty();
    }
    let reach = text.find(['/', ':']).unwrap_or(text.len());
    (0..=reach).filter(|end| text.is_char_boundary(*end)).any(|end| fits(rest, &text[end..]))
}

#[cfg(test)]
mod tests;
