import { describe, expect, it } from 'vitest';
import type { Action } from '../../../schemas/action.ts';
import { config } from '../../../schemas/config.ts';
import { guardAction } from '../../../src/policy/guards.ts';

const action: Action = {
  action_id: 'a',
  requested_by: 'policy',
  requested_at: 0,
  responder: 'rfc7009',
  handle: 'token',
  value: 'hash-1',
  sub: 'user-1',
  event_time: 0,
  mode: 'enforce',
  state: 'pending',
  attempts: 0,
  reason: '',
  detail: '',
  updated_at: 0,
};

describe('guardAction, right before an attempt', () => {
  const listed = config.parse({ policy: { mode: 'enforce', never_revoke: { subjects: ['user-1'] } } }).policy;

  it('stops what has come onto the never-revoke list since the decision', () => {
    expect(guardAction(action, listed)).toContain('user-1');
    expect(guardAction({ ...action, sub: 'user-2' }, listed)).toBeNull();
  });

  it('does not stand between a person and a recall', () => {
    expect(guardAction({ ...action, requested_by: 'operator' }, listed)).toBeNull();
  });

  it('stops what was decided before the switch to shadow mode', () => {
    expect(guardAction(action, config.parse({}).policy)).toContain('shadow');
  });

  it('never lets a shadow decision be carried out', () => {
    expect(guardAction({ ...action, sub: 'user-2', mode: 'shadow' }, listed)).toContain('shadow');
  });
});
