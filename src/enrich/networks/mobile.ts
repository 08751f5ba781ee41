/**
 * Networks of mobile phones. Carriers send a phone's traffic out at a few central places and share addresses among
 * many (RFC 6888), so the same phone is said to be in other cities from hour to hour. Listed are networks that carry
 * phones only, or nearly so; carriers that announce homes and phones from one AS (Deutsche Telekom, Orange, KDDI,
 * Telstra) count as residential, which for them is the greater part. Public facts (RIR registries, PeeringDB),
 * checked against the ASN database of 2026-06-17.
 */
export const MOBILE_ASNS: Readonly<Record<string, readonly number[]>> = {
  'T-Mobile US': [21928],
  'Verizon Wireless': [6167, 22394],
  'AT&T Mobility': [20057],
  'Telcel (Mexico)': [28403],
  'Vivo (Brazil)': [26599],
  'Claro (Brazil)': [22085],
  'TIM (Brazil)': [26615],
  'Claro (Colombia)': [26611],
  'Entel (Chile)': [27925],
  'Vodafone UK': [25135],
  'Three UK': [206067, 60339],
  EE: [12576],
  'Three (Ireland)': [13280],
  'Free Mobile': [51207],
  'Iliad Italia': [29447], // The database has the name of its sister company Scaleway, a hoster.
  'TIM (Italy)': [16232],
  'Wind Tre': [24608],
  'Odido (Netherlands)': [31615],
  'Drei (Austria)': [8437, 25255],
  'Salt (Switzerland)': [15796],
  '3 (Sweden)': [44034],
  'Play (Poland)': [39603],
  'Polkomtel (Poland)': [8374],
  'Vodafone Ukraine': [21497],
  'lifecell (Ukraine)': [34058],
  'Beeline (Russia)': [16345],
  Turkcell: [16135],
  'Vodafone Turkey': [15897],
  'STC (Saudi Arabia)': [39891],
  'Mobily (Saudi Arabia)': [35819],
  Irancell: [44244],
  'RighTel (Iran)': [57218],
  'Etisalat Misr': [36992],
  'Vodafone Egypt': [24835, 36935],
  'MTN (South Africa)': [16637],
  'MTN Nigeria': [29465],
  'Cell C (South Africa)': [37168],
  'Globacom (Nigeria)': [37148],
  'Jio (India)': [55836],
  'Airtel (India)': [45609],
  'Vi (India)': [38266, 45271, 55410],
  'Telkomsel (Indonesia)': [23693],
  'Indosat (Indonesia)': [4761],
  'XL Axiata (Indonesia)': [24203],
  'AIS (Thailand)': [131445],
  'dtac (Thailand)': [9587, 24378],
  'Zong (Pakistan)': [59257],
  'NTT DOCOMO': [9605],
  'SK Telecom': [9644],
  'LG U+': [17853],
  'Chunghwa Mobile (Taiwan)': [17421],
  'Vodafone Australia': [133612],
};

/**
 * Operators named after mobile telephony, and brands of mobile carriers in many countries. `Wireless` is not here:
 * it is what fixed wireless access providers call themselves, thousands of them.
 */
export const MOBILE_NAME =
  /\bmobiles?\b|\bm[oó]vil(?:es)?\b|\bmobilni\b|\bmobilais\b|\btt mobil\b|\bcell?ulare?s?\b|\bgsm\b|\bt-mobile\b|\b(?:mobitel|mobinil|movilnet|telecel|vodacom|safaricom|airtel|mtn|zain|digicel|grameenphone|smartone|megafon|vietnamobile|rwandacell|ncell)\b/i;

/** Named like a mobile carrier, but lines to homes and companies, or for somebody else's machines. */
export const NOT_MOBILE_ASNS: readonly number[] = [
  9498, // Bharti Airtel, backbone
  24560, // Bharti Airtel, broadband
  23870, // Bharti Airtel, enterprise
  9790, // Two Degrees Mobile: broadband since the merger with Vocus
  9889, // Two Degrees Mobile: broadband (Maxnet)
  23655, // Two Degrees Mobile: broadband (Snap)
  59067, // Microsoft Mobile Alliance Internet Services
  58453, // China Mobile International, transit
];
