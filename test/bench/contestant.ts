/** One of two ways to bring the same objects to the same cluster. */
export interface Contestant {
  readonly name: string;
  /** Creates everything where nothing is; ends when every pod is ready. */
  readonly create: () => Promise<unknown>;
  /** The same once more. @throws when it would change anything */
  readonly createAgain: () => Promise<unknown>;
  /** Tells what it would change. @throws when that is anything */
  readonly compare: () => Promise<unknown>;
  /** Deletes everything; ends when it is gone. */
  readonly remove: () => Promise<unknown>;
}
