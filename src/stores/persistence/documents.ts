// Facets `environments` and `artifacts`: bytes and modules under references of the caller's (P-46). Each kind has a space of its
// own in content.ts, so equal references never meet.

import { canonicalJson, type Json } from "../../domain/json.ts";
import type { ArtifactFacet, EnvironmentFacet } from "../content-contract.ts";
import { getBytes, getDocument, replaceContent, withId } from "./content.ts";
import type { StoreContext } from "./context.ts";

const ENVIRONMENTS = "process_execution_env";
const MODULES = "lashlang_module";
const ARTIFACTS = "lashlang_artifact";

export function createEnvironments(context: StoreContext): EnvironmentFacet {
  return {
    put: (ref, bytes) => putBytes(context, ENVIRONMENTS, ref, bytes),
    get: (ref) => context.engine.read((tx) => getBytes(tx, ENVIRONMENTS, ref)),
  };
}

export function createArtifacts(context: StoreContext): ArtifactFacet {
  const { engine } = context;
  return {
    putModule: (ref, module: Json) => putBytes(context, MODULES, ref, new TextEncoder().encode(canonicalJson(module))),
    getModule: (ref) => engine.read((tx) => getDocument(tx, MODULES, ref)),
    putBytes: (ref, bytes) => putBytes(context, ARTIFACTS, ref, bytes),
    getBytes: (ref) => engine.read((tx) => getBytes(tx, ARTIFACTS, ref)),
  };
}

async function putBytes({ engine }: StoreContext, space: string, ref: string, bytes: Uint8Array): Promise<void> {
  const content = withId(ref, bytes);
  await engine.write((tx) => replaceContent(tx, space, content));
}
