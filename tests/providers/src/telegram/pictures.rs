//! Pictures: how large one is, and a real one to send where a test or a sample needs it.

/// Width and height of a PNG, JPEG, GIF or WebP. None for anything else: the server couldn't process it as a photo.
pub(crate) fn dimensions(bytes: &[u8]) -> Option<(u32, u32)> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Some((big_endian(bytes.get(16..20)?), big_endian(bytes.get(20..24)?)));
    }
    if bytes.starts_with(b"GIF8") {
        return Some((little_endian(bytes.get(6..8)?), little_endian(bytes.get(8..10)?)));
    }
    if bytes.starts_with(b"RIFF") && bytes.get(8..12)? == b"WEBP" {
        return webp(bytes);
    }
    if bytes.starts_with(b"\xff\xd8") { jpeg(bytes) } else { None }
}

fn webp(bytes: &[u8]) -> Option<(u32, u32)> {
    match bytes.get(12..16)? {
        b"VP8X" => Some((little_endian(bytes.get(24..27)?) + 1, little_endian(bytes.get(27..30)?) + 1)),
        b"VP8L" => {
            let packed = little_endian(bytes.get(21..25)?);
            Some(((packed & 0x3fff) + 1, ((packed >> 14) & 0x3fff) + 1))
        }
        _ => Some((little_endian(bytes.get(26..28)?) & 0x3fff, little_endian(bytes.get(28..30)?) & 0x3fff)),
    }
}

/// Walks the segments to the frame header.
fn jpeg(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut at = 2;
    loop {
        let marker = *bytes.get(at + 1)?;
        let frame = matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc);
        if frame {
            return Some((big_endian(bytes.get(at + 7..at + 9)?), big_endian(bytes.get(at + 5..at + 7)?)));
        }
        at += 2 + usize::try_from(big_endian(bytes.get(at + 2..at + 4)?)).ok()?;
    }
}

fn big_endian(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| (number << 8) | u32::from(*byte))
}

fn little_endian(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |number, byte| (number << 8) | u32::from(*byte))
}

/// A PNG of one colour, uncompressed: small sides make small files.
#[must_use]
pub fn png(width: u32, height: u32) -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = Vec::with_capacity(13);
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    // Eight bits a sample, grey, no interlacing.
    header.extend([8, 0, 0, 0, 0]);
    chunk(&mut png, *b"IHDR", &header);
    let mut line = vec![0_u8];
    line.resize(width as usize + 1, 0x9b);
    chunk(&mut png, *b"IDAT", &zlib_stored(&line.repeat(height as usize)));
    chunk(&mut png, *b"IEND", &[]);
    png
}

fn chunk(png: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) {
    let checked = [&kind, data].concat();
    png.extend(u32::try_from(data.len()).unwrap_or(u32::MAX).to_be_bytes());
    png.extend(&checked);
    png.extend(crc32(&checked).to_be_bytes());
}

/// RFC 1950 with stored blocks of RFC 1951.
fn zlib_stored(data: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let mut blocks = data.chunks(0xffff).peekable();
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        stream.push(u8::from(blocks.peek().is_none()));
        stream.extend(length.to_le_bytes());
        stream.extend((!length).to_le_bytes());
        stream.extend(block);
    }
    let (low, high) = data.iter().fold((1_u32, 0_u32), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % 65_521;
        (low, (high + low) % 65_521)
    });
    stream.extend(((high << 16) | low).to_be_bytes());
    stream
}

fn crc32(data: &[u8]) -> u32 {
    !data.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_picture_has_its_dimensions_and_a_right_checksum() {
        let picture = png(20, 10);
        assert_eq!(dimensions(&picture), Some((20, 10)));
        // The check value that the PNG specification gives for an empty IEND.
        assert!(picture.ends_with(b"IEND\xae\x42\x60\x82"));
    }

    #[test]
    fn a_jpeg_is_measured_behind_its_other_segments() {
        let jpeg = [b"\xff\xd8\xff\xe0\x00\x04JF\xff\xc0\x00\x11\x08".as_slice(), &[0, 20, 0, 30]].concat();
        assert_eq!(dimensions(&jpeg), Some((30, 20)));
        assert_eq!(dimensions(b"%PDF-1.7"), None);
    }
}
