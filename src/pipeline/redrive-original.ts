import { isRecallError } from '../errors.ts';
import type { Custody } from '../response/custody.ts';
import type { StoredDeadLetter } from '../store/dead-letters.ts';

/**
 * The original of a letter, or in words why there is none.
 *
 * @throws whatever `openBytes` throws besides that it cannot open it
 */
export function originalOf(
  letter: StoredDeadLetter,
  custody: Pick<Custody, 'openBytes'>,
): { bytes: Uint8Array } | { missing: string } {
  const again = `read it again from ${letter.source}, ${letter.position}`;
  if (letter.step === 'receive') {
    return {
      missing: `its ${letter.size} bytes are more than max_line, so it was not kept: raise that, and ${again}`,
    };
  }
  if (!letter.kept) {
    return {
      missing: `no original was kept: no custody key was set when it arrived, or it is larger than 64 KiB (${letter.size} bytes). Set custody.key, and ${again}`,
    };
  }
  try {
    return { bytes: custody.openBytes(letter.sealed) };
  } catch (error) {
    if (isRecallError(error, 'ERR_CUSTODY_OPEN') || isRecallError(error, 'ERR_CUSTODY_KEY')) {
      return { missing: error.message };
    }
    throw error;
  }
}
