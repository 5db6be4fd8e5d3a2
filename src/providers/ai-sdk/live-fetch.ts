// Signs of life below the client: comments of an event stream and half-received chunks, which no client passes on (ME-13).
//
// The client hands the signal of a call to its `fetch`; that is how bytes of a response find the call that waits for them.

/** Told of every piece of a response body that arrives. */
const listeners = new WeakMap<AbortSignal, () => void>();

/** From now on bytes that arrive for calls under this signal are told. */
export function onBytes(signal: AbortSignal, listener: () => void): void {
  listeners.set(signal, listener);
}

/**
 * A `fetch` for the client of an AI SDK provider that lets keep-alive comments count as signs of life, so that
 * `reliability.chunkTimeoutMs` measures the silence of the wire.
 *
 * @example
 * aiSdk(createOpenAI({ fetch: liveFetch() })("gpt-5"))
 * @param fetch - makes the request. Default: the global one, looked up at each call.
 */
export function liveFetch(fetch: typeof globalThis.fetch = (...request) => globalThis.fetch(...request)): typeof globalThis.fetch {
  return async (input, init) => {
    const response = await fetch(input, init);
    const signal = init?.signal ?? (input instanceof Request ? input.signal : undefined);
    const listener = signal ? listeners.get(signal) : undefined;
    if (!listener || !response.body) return response;
    const watch = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        listener();
        controller.enqueue(chunk);
      },
    });
    const { status, statusText, headers } = response;
    return new Response(response.body.pipeThrough(watch), { status, statusText, headers });
  };
}
