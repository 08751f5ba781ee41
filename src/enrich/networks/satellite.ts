/**
 * Networks over satellite, at home, at sea and in the air. Their addresses are placed where the ground station is,
 * which can be a continent away from the aircraft or ship, so no position is taken from them (design: satellite
 * never becomes an anchor). Public facts, checked against the ASN database of 2026-06-17.
 */
export const SATELLITE_ASNS: Readonly<Record<string, readonly number[]>> = {
  Starlink: [14593],
  Viasat: [7155, 16491, 40306, 40311, 46536],
  HughesNet: [1358, 6621, 12440, 44795, 63062],
  Eutelsat: [15829, 29286, 34444, 201935, 204276],
  OneWeb: [800],
  Intelsat: [22351, 26243],
  Inmarsat: [25222, 31515, 31753],
  Iridium: [22184, 398736],
  Marlink: [5377, 8264, 8841, 14549, 44933, 55784],
  Speedcast: [4913, 5666, 32034, 38456],
  Anuvu: [400110],
  Gogo: [11167],
  'Panasonic Avionics': [64294, 394603],
  Kacific: [135409],
};
