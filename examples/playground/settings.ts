// Which model answers. The key stays in this tab: session storage survives a crash of the agent and ends with the tab.

export interface EndpointSettings {
  readonly baseUrl: string;
  readonly key: string;
  readonly model: string;
}

const PLACE = "lash-playground-endpoint";

/** @returns undefined for the model in the page. */
export function readEndpoint(): EndpointSettings | undefined {
  const stored = sessionStorage.getItem(PLACE);
  if (stored === null) return undefined;
  const { baseUrl, key, model } = JSON.parse(stored) as Partial<EndpointSettings>;
  return baseUrl && model ? { baseUrl, key: key ?? "", model } : undefined;
}

export function writeEndpoint(settings: EndpointSettings | undefined): void {
  if (settings) sessionStorage.setItem(PLACE, JSON.stringify(settings));
  else sessionStorage.removeItem(PLACE);
}
