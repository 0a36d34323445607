//! Blocks of fields as reports write them: like headers, an empty line between two blocks.

/// One block: names in lower case, values unfolded.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<(String, String)>);

/// Blocks that are read.
const BLOCKS_MAX: usize = 100;

impl Fields {
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }
}

pub(super) fn blocks(text: &str) -> Vec<Fields> {
    let mut blocks: Vec<Fields> = Vec::new();
    let mut open = false;
    for line in text.lines() {
        if line.trim().is_empty() {
            open = false;
            continue;
        }
        if !open {
            if blocks.len() == BLOCKS_MAX {
                break;
            }
            blocks.push(Fields::default());
            open = true;
        }
        let Some(Fields(fields)) = blocks.last_mut() else { continue };
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = fields.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            fields.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::blocks;

    #[test]
    fn blocks_of_folded_fields() {
        let read =
            blocks("Reporting-MTA: dns; mx\r\n\r\n\r\nAction : failed\r\nDiagnostic-Code: smtp; 550\r\n\t gone\r\nEmpty:\r\nnonsense\r\n");
        assert_eq!(read.len(), 2);
        assert_eq!(read[0].value("reporting-mta"), Some("dns; mx"));
        assert_eq!((read[1].value("action"), read[1].value("diagnostic-code")), (Some("failed"), Some("smtp; 550 gone")));
        assert_eq!((read[1].value("empty"), read[1].value("nonsense")), (None, None));
        assert!(blocks(" leading fold").iter().all(|block| block.value("").is_none()));
    }
}
