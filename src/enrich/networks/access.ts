/**
 * Names of networks that people sit behind whatever else the name says: universities, schools, hospitals,
 * authorities, banks (St. Cloud State University hosts no clouds, the City of Mobile sells no phones), and providers
 * of lines to homes. They are never taken for hosting or mobile by name.
 */
export const ACCESS_NAME =
  /\buniversi|\bcolleges?\b|\bschools?\b|\bacadem|\binstitute\b|\bresearch\b|\bhospitals?\b|\bclinic\b|\binfirmary\b|\bmedical\b|\bhealth(?:care)?\b|\bcount(?:y|ies)\b|\bcity of\b|\bstate of\b|\bdistrict\b|\bminist(?:ry|ere|erio)\b|\bgovernment\b|\bdepartment\b|\bbanks?\b|\bcredit union\b|\binsurance\b|\bautomobil|\bexxon\b|broadband|wireless|wi-?fi\b|\bcable\b|\bfib(?:er|re)\b|\bisp\b|\binternet service\b/i;
