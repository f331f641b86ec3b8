// Numbers for people: counts in thousands, octets in units of 1024, durations in their two largest units.

const COUNT_UNITS = ['', 'k', 'M', 'G', 'T'];
const OCTET_UNITS = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi'];

/** 999 -> '999', 12345 -> '12.3k'; below one thousand whole numbers only, unless `fraction`. */
export const formatCount = (count: number, fraction = false): string => scaled(count, 1000, COUNT_UNITS, fraction);

/** 2048 -> '2.0Ki'. */
export const formatOctets = (octets: number): string => scaled(octets, 1024, OCTET_UNITS, false);

function scaled(value: number, step: number, units: readonly string[], fraction: boolean): string {
  let [scale, unit] = [value, 0];
  // 999.95 and more would be printed with four digits.
  while (Math.abs(scale) >= step - (unit === 0 ? 0.5 : 0.05) && unit < units.length - 1) {
    scale /= step;
    unit++;
  }
  const isWhole = unit === 0 && (!fraction || Number.isInteger(scale));
  const digits = isWhole || Math.abs(scale) >= 99.95 ? 0 : 1;
  return `${scale.toFixed(digits)}${units[unit] ?? ''}`;
}

/** 0.25 -> '0.2s', 75 -> '1m15s', 90000 -> '1d1h'. */
export function formatSeconds(seconds: number): string {
  if (seconds < 9.95) return `${Math.max(0, Math.floor(seconds * 10) / 10).toFixed(1)}s`;
  const whole = Math.floor(seconds);
  const parts: readonly (readonly [number, string])[] = [
    [Math.floor(whole / 86_400), 'd'],
    [Math.floor(whole / 3600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'm'],
    [whole % 60, 's'],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count}${unit}`)
    .join('');
}
