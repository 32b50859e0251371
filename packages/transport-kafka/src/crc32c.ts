// CRC-32C (Castagnoli, RFC 3720), eight bytes at a time.
const tables = new Int32Array(8 * 256)
for (let i = 0; i < 256; i++) {
  let crc = i
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  tables[i] = crc
}
for (let i = 256; i < tables.length; i++) {
  const before = tables[i - 256] as number
  tables[i] = (before >>> 8) ^ (tables[before & 0xff] as number)
}

/** The CRC-32C of `data[start, end)`, unsigned. */
export function crc32c(data: Uint8Array, start: number, end: number): number {
  const t = tables
  let crc = -1
  let i = start
  for (; i + 8 <= end; i += 8) {
    crc ^= at(data, i) | (at(data, i + 1) << 8) | (at(data, i + 2) << 16) | (at(data, i + 3) << 24)
    crc =
      at(t, 0x700 | (crc & 0xff)) ^
      at(t, 0x600 | ((crc >>> 8) & 0xff)) ^
      at(t, 0x500 | ((crc >>> 16) & 0xff)) ^
      at(t, 0x400 | (crc >>> 24)) ^
      at(t, 0x300 | at(data, i + 4)) ^
      at(t, 0x200 | at(data, i + 5)) ^
      at(t, 0x100 | at(data, i + 6)) ^
      at(t, at(data, i + 7))
  }
  for (; i < end; i++) crc = (crc >>> 8) ^ at(t, (crc ^ at(data, i)) & 0xff)
  return ~crc >>> 0
}

function at(data: Uint8Array | Int32Array, i: number): number {
  return data[i] as number
}
