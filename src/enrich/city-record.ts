import { field, number, text } from './record.ts';

/** Where an address is, as far as a database says. A fix is city-level only where `city` is there. */
export interface Place {
  /** ISO 3166-1 alpha-2 code. */
  country?: string;
  city?: string;
  /** Degrees, WGS 84. Both coordinates or none. */
  latitude?: number;
  longitude?: number;
  /** Radius in km within which the address is said to be. */
  accuracy_km?: number;
}

/**
 * Reads a record of a city database in either schema: MaxMind's nested one (GeoLite2-City, GeoIP2-City) and the
 * flat one of ip-location-db, whose empty texts mean absent. What a record does not say is absent, never zero;
 * coordinates 0,0 without a country are how some databases write that they do not know.
 *
 * @returns null where the record says nothing of use
 */
export function readPlace(record: unknown): Place | null {
  const country = countryCode(field(record, 'country', 'iso_code') ?? field(record, 'country_code'));
  const city = name(field(record, 'city', 'names')) ?? text(field(record, 'city'));
  const location = field(record, 'location') ?? record;
  const latitude = number(field(location, 'latitude'));
  const longitude = number(field(location, 'longitude'));
  const radius = number(field(location, 'accuracy_radius'));
  const located =
    latitude !== undefined &&
    longitude !== undefined &&
    Math.abs(latitude) <= 90 &&
    Math.abs(longitude) <= 180 &&
    (latitude !== 0 || longitude !== 0 || country !== undefined);
  if (country === undefined && city === undefined && !located) return null;
  const place: Place = {};
  if (country !== undefined) place.country = country;
  if (city !== undefined) place.city = city;
  if (located) {
    place.latitude = latitude;
    place.longitude = longitude;
    if (radius !== undefined && radius > 0) place.accuracy_km = radius;
  }
  return place;
}

/** The English name of a place, else the first there is: a name is what makes a fix city-level. */
function name(names: unknown): string | undefined {
  if (typeof names !== 'object' || names === null) return undefined;
  return text(field(names, 'en')) ?? Object.values(names).map(text).find(Boolean);
}

/** ISO codes only; ZZ and XX are what some databases write for unknown. */
function countryCode(value: unknown): string | undefined {
  const code = text(value)?.toUpperCase();
  return code !== undefined && /^[A-Z]{2}$/.test(code) && code !== 'ZZ' && code !== 'XX' ? code : undefined;
}
