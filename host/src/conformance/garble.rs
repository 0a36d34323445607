//! Bodies that were cut, overwritten and repeated: the same ones in every run.

const PIECES: [&[u8]; 8] = [b"null", b"-1", b"1e400", b"\"\\ud800\"", b"[]", b"{}", b"\xff", b"99999999999999999999"];

/// The same sequence in every run: xorshift.
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new() -> Chance {
        Chance(0x5eed_0001)
    }

    fn below(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(below.max(1)).unwrap_or(1)).unwrap_or_default()
    }
}

/// The body cut at places all over its length.
pub(super) fn cuts(body: &[u8], pieces: usize) -> impl Iterator<Item = Vec<u8>> {
    (0..pieces).filter_map(move |n| body.get(..body.len() * n / pieces)).map(<[u8]>::to_vec)
}

/// One to three mistakes at random places.
pub(super) fn garbled(body: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut garbled = body.to_vec();
    for _ in 0..=chance.below(3) {
        if garbled.is_empty() {
            break;
        }
        let at = chance.below(garbled.len());
        match chance.below(4) {
            0 => garbled.truncate(at),
            1 => {
                let end = (at + 1).min(garbled.len());
                garbled.splice(at..end, u8::try_from(chance.below(256)).ok());
            }
            2 => {
                let end = (at + chance.below(12)).min(garbled.len());
                let piece = PIECES.get(chance.below(PIECES.len())).copied().unwrap_or_default();
                garbled.splice(at..end, piece.iter().copied());
            }
            _ => {
                let end = (at + chance.below(200)).min(garbled.len());
                let piece = garbled.get(at..end).map(<[u8]>::to_vec).unwrap_or_default();
                garbled.splice(at..at, piece);
            }
        }
    }
    garbled
}
