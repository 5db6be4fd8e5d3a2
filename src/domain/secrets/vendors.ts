// How the keys and tokens of vendors begin. Those without a prefix are found by the name before them.

export interface Vendor {
  readonly prefix: string;
  /** Characters that have to follow. */
  readonly atLeast: number;
  /** Not one more than that. */
  readonly exact?: true;
  /** What follows, beside letters, digits, `_` and `-`; `hex` is hexadecimal digits alone. */
  readonly chars?: "dots" | "path" | "hex";
  /** The prefix is no secret and stays. */
  readonly keep?: true;
}

const listed = (atLeast: number, prefixes: string, more: Omit<Vendor, "prefix" | "atLeast"> = {}): readonly Vendor[] =>
  prefixes.split(" ").map((prefix) => ({ prefix, atLeast, ...more }));

export const VENDORS: readonly Vendor[] = [
  // Models and what belongs to them.
  ...listed(16, "sk- sk_ rk- rk_ pk- pk_ sess- gsk_ xai- pplx- csk- nvapi- hf_ r8_ tgp_v1_ esecret_ pcsk_ tvly- jina_ e2b_ lsv2_ ls__ fw_"),
  ...listed(24, "pa- fc- re_ sess-"),
  // Clouds.
  ...listed(16, "AKIA ASIA ABIA ACCA", { exact: true }),
  ...listed(30, "AIza"),
  ...listed(10, "ya29."),
  ...listed(20, "1//0 GOCSPX- AQ. LTAI AKID v1.0-"),
  ...listed(32, "dapi", { chars: "hex" }),
  ...listed(16, "dop_v1_ doo_v1_ dor_v1_ tskey- nfp_ rnd_ fm1_ fm2_ HRKU- pscale_tkn_ pscale_pw_ pscale_oauth_ sbp_ sb_secret_ vcp_ pul- CFPAT-"),
  // Code and packages.
  ...listed(16, "ghp_ gho_ ghu_ ghs_ ghr_ ghp- gho- ghu- ghs- ghr- github_pat_ github_pat- glpat- glpat_ gldt- glrt- glcbt- glptt- glsoat- glft- glagent- gloas- npm_ pypi- rubygems_ dckr_pat_ dckr_oat_ CCIPAT_ bkua_ squ_ sqp_ sqa_"),
  ...listed(20, "ATATT3 ATCTT3 ATBB"),
  // Chat, payment, the rest.
  ...listed(10, "xoxa- xoxb- xoxe- xoxo- xoxp- xoxr- xoxs- xoxa_ xoxb_ xoxp_ xoxr_ xapp-"),
  ...listed(10, "xoxe.", { chars: "dots" }),
  ...listed(16, "whsec_ shpat_ shpss_ shpca_ shppa_ sq0atp- sq0csp- sq0idp- lin_api_ ntn_ secret_ PMAK- figd_ figo_ glsa_ glc_ NRAK- NRJS- NRII- sntrys_ sntryu_ shippo_live_ rdme_ ops_ AGE-SECRET-KEY-"),
  ...listed(40, "EAA EZAK EZTK"),
  ...listed(20, "SG. hvs. hvb. hvr. dp.pt. dp.st. dp.ct. dp.sa. amzn.mws.", { chars: "dots" }),
  ...listed(32, "SK key-", { chars: "hex", exact: true }),
  ...listed(8, "hooks.slack.com/services/ hooks.slack.com/workflows/ hooks.zapier.com/hooks/ discord.com/api/webhooks/ discordapp.com/api/webhooks/ webhook.office.com/webhookb2/", { chars: "path", keep: true }),
  ...listed(1, "lash-await-event:", { keep: true }),
];
