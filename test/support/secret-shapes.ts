// Texts as providers, clients and tools put them into errors, and the secret in each. All made up, and joined here so that no
// scanner of repositories takes them for real.

export interface SecretShape {
  readonly name: string;
  readonly text: string;
  /** None of these may be left. */
  readonly secrets: readonly string[];
}

const A = "Ab3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zA";
const LOWER = "a1b2c3d4e5f6a7b8c9d0";
const HEX = "0123456789abcdef0123456789abcdef";

const of = (name: string, text: string, ...secrets: string[]): SecretShape => ({ name, text, secrets });
/** A key whose vendor is known by how it begins. */
const key = (name: string, ...parts: string[]): SecretShape => of(name, `the key ${parts.join("")} was refused (request req_011CSHoEeqs5C35K2UUqR7Fy)`, parts.slice(1).join(""));
/** A pair as it stands in a dump: before, value, after. */
const pair = (name: string, before: string, secret: string, after = ""): SecretShape => of(name, before + secret + after, secret);

const jwt = ["eyJhbGciOiJIUzI1NiJ9", "eyJzdWIiOiIxMjM0NTY3ODkwIn0", "dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"];
const pem = (kind: string, body: string, eol = "\n"): string => [`-----BEGIN ${kind}-----`, body, body, `-----END ${kind}-----`].join(eol);
const BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";

export const SECRET_SHAPES: readonly SecretShape[] = [
  key("OpenAI", "sk-", A),
  key("OpenAI project", "sk-", "proj-", A, "_", A),
  key("Anthropic", "sk-", "ant-api03-", A, "-", LOWER, "AA"),
  key("OpenRouter", "sk-", "or-v1-", HEX, HEX),
  key("Google", "AI", "zaSy", A, "B"),
  key("Google OAuth", "ya2", "9.", "a0AfH6", A),
  key("Google client secret", "GOC", "SPX-", A),
  key("AWS access key", "AK", "IA", "IOSFODNN7EXAMPLE"),
  key("AWS temporary key", "AS", "IA", "IOSFODNN7EXAMPLE"),
  of("AWS pair", `creds ${"AK"}IAIOSFODNN7EXAMPLE:wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY rejected`, "IOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG"),
  pair("AWS secret key", "aws_secret_access_key = ", "wJalrXUtnFEMIXK7MDENGXbPxRfiCYEXAMPLEKEY"),
  pair("AWS environment", "AWS_SECRET_ACCESS_KEY=", "wJalrXUtnFEMIXK7MDENG", " AWS_REGION=eu"),
  of("AWS signature", `Authorization: AWS4-HMAC-SHA256 Credential=${"AK"}IAIOSFODNN7EXAMPLE/20260101/eu/s3/aws4_request, SignedHeaders=host, Signature=${HEX}${HEX}`, "IOSFODNN7EXAMPLE", HEX),
  pair("AWS signed URL", `https://b.s3.amazonaws.com/k?X-Amz-Date=20260101&X-Amz-Signature=`, HEX + HEX, "&x=1"),
  pair("Azure storage", "DefaultEndpointsProtocol=https;AccountName=acc;AccountKey=", `${A}${A}==`, ";EndpointSuffix=core.windows.net"),
  pair("Azure signature", "https://acc.blob.core.windows.net/c?sv=2024-01-01&se=2026&sig=", `${A}%2B${LOWER}%3D`, "&sp=r"),
  pair("Azure bus", "Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=root;SharedAccessKey=", `${A}=`),
  pair("Azure client secret", "AADSTS7000215: invalid client secret ", `abc${"8Q"}~${A}abcd`),
  key("GitHub", "gh", "p_", A, "abcd"),
  key("GitHub fine-grained", "github_", "pat_", "11ABCDEFG0", A),
  key("GitLab", "gl", "pat-", LOWER),
  key("Slack bot", "xo", "xb-", "123456789012-1234567890123-", A),
  pair("Slack webhook", "POST https://hooks.slack.com/services/", "T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX", " failed"),
  pair("Discord webhook", "POST https://discord.com/api/webhooks/", `123456789012345678/${A}`, " 404"),
  key("Stripe", "sk_", "live_", A),
  key("Stripe webhook", "wh", "sec_", A),
  key("Twilio", "S", "K", HEX),
  key("SendGrid", "S", "G.", "ngeVfQFYQlKU0ufo8x5d1A.", A),
  key("npm", "np", "m_", A, "abcd"),
  key("PyPI", "py", "pi-", "AgEIcHlwaS5vcmc", A),
  key("Hugging Face", "h", "f_", A),
  key("Groq", "gs", "k_", A),
  key("Databricks", "da", "pi", HEX),
  key("Vault", "hv", "s.", "CAESI", A),
  pair("Telegram", "https://api.telegram.org/bot", `123456789:AAE${A}`, "/sendMessage 401"),
  key("Mailchimp", "", HEX, "-us12"),
  key("JSON web token", "", ...jwt.map((part, index) => (index === 0 ? part : `.${part}`))),
  pair("bearer token", "Authorization: Bearer ", LOWER, " failed: 401"),
  pair("bearer token by itself", "sent Bearer ", "abcdefghijklm.nop-qrs~tuv/", " to the server"),
  pair("basic authentication", "authorization: Basic ", "dXNlcjpodW50ZXIy"),
  pair("other scheme", "Authorization: Token ", LOWER),
  pair("scheme nobody knows", "Authorization: Hawk id=1, mac=", LOWER, "\nhost: x"),
  pair("api-key header", "x-api-key: ", LOWER, "\ncontent-type: json"),
  pair("subscription key", "Ocp-Apim-Subscription-Key: ", HEX),
  pair("header dump of Node", "{ host: 'a', 'x-goog-api-key': '", "not-a-known-shape", "', accept: '*/*' }"),
  pair("header dump of Python", "{'Host': 'a', 'Authorization': b'Bearer ", "short-one", "'}"),
  pair("header list", '[["host","a"],["x-api-key","', LOWER, '"]]'),
  pair("flat header list", '["Host","a","X-Auth-Token","', LOWER, '","Accept","*/*"]'),
  pair("HAR header", '{"name":"x-api-key","value":"', "plain words", '"}'),
  of("header of several values", '{"set-cookie":["a=first1; Path=/","b=second2"],"x":1}', "first1", "second2"),
  of("cookies", "Cookie: sid=s3ss10n; theme=d4rk; csrf=t0k3n\nAccept: */*", "s3ss10n", "d4rk", "t0k3n"),
  pair("set-cookie", "set-cookie: session=", "abc.def123", "; Path=/; HttpOnly"),
  pair("session cookie by itself", "got JSESSIONID=", "1A530637289A03B07199A44E8D531427", " back"),
  pair("password", "login failed: user=bob password=", "hunter2", " host=db"),
  pair("password with signs", "password=", "p@ss,w0rd&more!x", " next"),
  pair("password in YAML", "user: bob\npassword: ", "hunter2", "\nport: 1"),
  pair("password in quotes", "password = '", "two words", "'"),
  pair("password in JSON", '{"user":"bob","password":"', "hun ter2", '","ok":1}'),
  pair("password in XML", "<login><password>", "hunter2", "</password></login>"),
  pair("password in the environment", "export PGPASSWORD=", "hunter2"),
  pair("password of a command line", "mysql --password ", "hunter2", " -h db"),
  pair("account of curl", "curl -u ", "bob:hunter2", " https://x"),
  pair("password in Ruby", ":password=>\"", "hunter2", '"'),
  pair("form body", "grant_type=client_credentials&client_id=a&client_secret=", "s3cr3t", "&scope=x"),
  pair("encoded form body", "body: client_secret%3D", "s3cr3tvalue"),
  pair("Postgres URL", "connect postgres://bob:", "hunter2", "@db.example.com:5432/x failed"),
  pair("Mongo URL", "mongodb+srv://bob:", "h%40nter2", "@cluster0.mongodb.net/?retryWrites=true"),
  pair("Redis URL", "redis://:", "hunter2", "@cache:6379/0"),
  pair("URL with a slash in the password", "amqp://bob:", "hun/ter2", "@mq:5672/v failed"),
  pair("URL with a token", "git clone https://", "oauth-token-1", "@github.com/a/b"),
  pair("URL in escaped JSON", '"https:\\/\\/bob:', "hunter2", '@x.example\\/a"'),
  pair("MySQL of Go", "dsn bob:", "hunter2", "@tcp(127.0.0.1:3306)/db"),
  pair("Oracle", "jdbc:oracle:thin:scott/", "tiger", "@db:1521/x"),
  pair("ADO", "Server=db;User Id=sa;Password=", "Hunter2!", ";Encrypt=true"),
  pair("libpq", "host=db user=bob password=", "hunter2", " dbname=x"),
  pair("JDBC", "jdbc:postgresql://db/x?user=bob&password=", "hunter2", "&ssl=true"),
  pair("key in a query", "GET https://maps.example.com/x?key=", "xyz-uvw", "&q=1 400"),
  pair("token in a query", "GET /cb?state=1&access_token=", "xyz-uvw", "#x"),
  pair("token in a fragment", "https://app/#id_token=", "xyz-uvw", "&state=1"),
  pair("prose", "Incorrect API key provided: ", "abcd1234efgh", ". You can find your key online."),
  pair("prose without a colon", "the api key ", "abcd1234efgh", " is not valid"),
  of("private key", pem("RSA PRIVATE KEY", BODY), BODY),
  of("private key of OpenSSH", pem("OPENSSH PRIVATE KEY", BODY), BODY),
  of("encrypted private key", `-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,${HEX}\n\n${BODY}\n-----END RSA PRIVATE KEY-----`, BODY, HEX),
  of("service account", `{"type":"service_account","private_key":${JSON.stringify(pem("PRIVATE KEY", BODY))},"client_email":"a@b"}`, BODY),
  of("private key that is cut off", `key: -----BEGIN EC PRIVATE KEY-----\n${BODY}\n${BODY.slice(0, 20)}`, BODY, BODY.slice(0, 20)),
  of("end of a private key", `...${BODY}\n${BODY}\n-----END PRIVATE KEY----- refused`, BODY),
];
