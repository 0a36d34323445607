import type * as contract from './contract.js';

interface Answers {
  /** JSON, or text or bytes as they are. */
  answer(status: number, body: unknown, headers?: Record<string, string>): Answers;
  /** The provider isn't reached: nothing is sent. */
  notSent(reason: string): Answers;
  /** The connection breaks after the request was sent. */
  broken(reason: string): Answers;
}

/** A scripted provider and the rest of a test's world. Making one forgets the one before. */
export class Provider {
  /** `POST api /messages`: each answer serves one request, in order. */
  on(route: string): Answers;
  secret(name: string, value: string | Uint8Array): void;
  get requests(): Array<{ route: string; json: any; target: string; method: string; path: string; headers: contract.Field[] }>;
  get log(): Array<{ level: string; message: string; fields: Record<string, string> }>;
  /** Routes that were scripted and never asked for. */
  get left(): string[];
}

export function account(settings?: object, externalId?: string): contract.Account;
export function call(settings?: object, more?: { externalId?: string; extras?: Record<string, string> }): contract.Call;
export function outbound(to: string, contents: contract.Content[], more?: Partial<contract.Outbound>): contract.Outbound;
export function webhook(body: unknown, more?: Partial<contract.Webhook>): contract.Webhook;
