import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Answer, Question, Questions } from './authorization-server-process.ts';

export type AuthorizationServerProcess = Omit<Questions, 'start'> & {
  readonly issuer: string;
  stop(): Promise<void>;
};

/** Starts the authorization server in a process of its own, which ends with this one. */
export async function startAuthorizationServerProcess(
  clients: Parameters<Questions['start']>[0],
): Promise<AuthorizationServerProcess> {
  const script = fileURLToPath(new URL('./authorization-server-process.ts', import.meta.url));
  const child = fork(script, [], { execArgv: ['--import', import.meta.resolve('tsx')], stdio: 'inherit' });
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  let asked = 0;
  child.on('message', (answer: Answer) => {
    const one = waiting.get(answer.number);
    waiting.delete(answer.number);
    if ('error' in answer) one?.reject(new Error(`authorization server: ${answer.error}`));
    else one?.resolve(answer.value);
  });
  const ended = once(child, 'exit');
  void ended.then(() => {
    for (const { reject } of waiting.values()) reject(new Error('the authorization server ended'));
  });
  const ask =
    <Name extends keyof Questions>(name: Name) =>
    (...args: Parameters<Questions[Name]>) =>
      new Promise<unknown>((resolve, reject) => {
        asked += 1;
        waiting.set(asked, { resolve, reject });
        child.send({ number: asked, name, args } satisfies Question);
      }) as ReturnType<Questions[Name]>;
  const { issuer } = await ask('start')(clients);
  return {
    issuer,
    issue: ask('issue'),
    sicken: ask('sicken'),
    active: ask('active'),
    asked: ask('asked'),
    async stop() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
