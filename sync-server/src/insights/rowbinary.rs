//! Reads ClickHouse's `RowBinary`: values one after the other, no names, no padding.

use snag_warehouse::{ErrorKind, WarehouseError};

/// What is left of an answer in `RowBinary`.
pub(super) struct Rows<'a> {
    bytes: &'a [u8],
}

impl<'a> Rows<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn take(&mut self, size: usize) -> Result<&'a [u8], WarehouseError> {
        let (head, rest) = self
            .bytes
            .split_at_checked(size)
            .ok_or_else(|| broken("it ends inside a value"))?;
        self.bytes = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WarehouseError> {
        let bytes = self.take(N)?;
        bytes
            .try_into()
            .map_err(|_| broken("a value has another size"))
    }

    pub(super) fn u8(&mut self) -> Result<u8, WarehouseError> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn u32(&mut self) -> Result<u32, WarehouseError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64, WarehouseError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A UUID as ClickHouse stores it: good for telling apart, not for printing.
    pub(super) fn uuid(&mut self) -> Result<u128, WarehouseError> {
        Ok(u128::from_le_bytes(self.array()?))
    }

    /// The length of a string or array (LEB128).
    pub(super) fn length(&mut self) -> Result<usize, WarehouseError> {
        let mut length = 0usize;
        for shift in (0..usize::BITS).step_by(7) {
            let byte = self.u8()?;
            length |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(length);
            }
        }
        Err(broken("a length has no end"))
    }

    pub(super) fn text(&mut self) -> Result<&'a str, WarehouseError> {
        let length = self.length()?;
        std::str::from_utf8(self.take(length)?).map_err(|_| broken("a string is not UTF-8"))
    }
}

fn broken(what: &str) -> WarehouseError {
    WarehouseError::new(ErrorKind::Schema, format!("RowBinary answer: {what}"))
}

#[cfg(test)]
mod tests {
    use super::Rows;

    #[test]
    fn values_come_in_order_and_a_cut_answer_is_an_error() {
        let mut bytes = vec![7, 1, 0, 0, 0, 0x83, 0x01];
        bytes.extend([b'x'; 131]);
        let mut rows = Rows::new(&bytes);
        assert_eq!(rows.u8().unwrap(), 7);
        assert_eq!(rows.u32().unwrap(), 1);
        assert_eq!(rows.text().unwrap(), "x".repeat(131));
        assert!(rows.is_empty());
        assert!(rows.u8().is_err());
        assert!(Rows::new(&[3, b'a']).text().is_err());
        assert!(Rows::new(&[0xff; 11]).length().is_err());
    }
}
