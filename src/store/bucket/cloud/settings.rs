//! Where credentials, region and endpoint of a cloud come from: the variables and files that the
//! cloud's own tools read, and nothing else. Nothing that is found is ever stored or shown.
//!
//! S3: variables as `aws` documents them, then the profile of `AWS_PROFILE` (or `default`) in
//! `~/.aws/credentials` and `~/.aws/config`
//! (<https://docs.aws.amazon.com/cli/v1/userguide/cli-configure-files.html>).
//! Azure: variables as `az` documents them, then the section `storage` of `~/.azure/config`
//! (<https://learn.microsoft.com/cli/azure/azure-cli-configuration>).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use object_store::aws::AmazonS3ConfigKey;
use object_store::azure::AzureConfigKey;

use super::super::{BucketError, BucketResult};

/// Longest configuration file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// The text by which machines of a cloud say in their firmware that they are such.
const AMAZON_FIRMWARE: (&str, &str) = ("/sys/class/dmi/id/sys_vendor", "Amazon EC2");
const AZURE_FIRMWARE: (&str, &str) =
    ("/sys/class/dmi/id/chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77");

/// What the tools of a cloud look at.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// Variables of the environment.
    pub variables: &'a [(String, String)],
    /// The person's home folder.
    pub home: Option<&'a Path>,
}

impl Surroundings<'_> {
    fn variable(&self, name: &str) -> Option<&str> {
        let found = self.variables.iter().find(|(other, value)| other == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    }

    /// The file that a variable names, or else the usual one in the home folder.
    fn file(&self, variable: &str, usual: &str) -> Option<PathBuf> {
        let named = self.variable(variable).map(PathBuf::from);
        named.or_else(|| self.home.map(|home| home.join(usual)))
    }
}

/// Settings of S3, later ones over earlier ones.
pub(super) fn s3(around: Surroundings<'_>) -> BucketResult<Vec<(AmazonS3ConfigKey, String)>> {
    let mut settings = Vec::new();
    let (profile, is_named) = profile(around);
    let shared = sections(around.file("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"));
    let config = sections(around.file("AWS_CONFIG_FILE", ".aws/config"));
    let in_config = if profile == "default" { profile.clone() } else { format!("profile {profile}") };
    let (credentials, general) = (shared.get(&profile), config.get(&in_config));
    if is_named && credentials.is_none() && general.is_none() {
        return Err(BucketError::Credentials { reason: format!("there is no AWS profile {profile:?}") });
    }
    let from_file = |key: &str| {
        let found = credentials.and_then(|section| section.get(key));
        found.or_else(|| general.and_then(|section| section.get(key))).cloned()
    };
    let has_variables = around.variable("AWS_ACCESS_KEY_ID").is_some();
    for (key, name) in [
        (AmazonS3ConfigKey::AccessKeyId, "aws_access_key_id"),
        (AmazonS3ConfigKey::SecretAccessKey, "aws_secret_access_key"),
        (AmazonS3ConfigKey::Token, "aws_session_token"),
    ] {
        // Parts of two credentials never go together.
        settings.extend(from_file(name).filter(|_| !has_variables).map(|value| (key, value)));
    }
    settings.extend(from_file("region").map(|value| (AmazonS3ConfigKey::Region, value)));
    settings.extend(from_file("endpoint_url").map(|value| (AmazonS3ConfigKey::Endpoint, value)));
    for (name, value) in around.variables.iter().filter(|(name, _)| name.starts_with("AWS_")) {
        match name.as_str() {
            // Named so by the tools of Amazon, and meant to be weaker than the other.
            "AWS_DEFAULT_REGION" if around.variable("AWS_REGION").is_some() => {}
            "AWS_DEFAULT_REGION" => settings.push((AmazonS3ConfigKey::Region, value.clone())),
            name => {
                let key = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>();
                settings.extend(key.map(|key| (key, value.clone())));
            }
        }
    }
    let has_key = settings.iter().any(|(key, _)| *key == AmazonS3ConfigKey::AccessKeyId);
    let has_other = [
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_METADATA_ENDPOINT",
        "AWS_SKIP_SIGNATURE",
    ];
    let has_other = has_other.iter().any(|name| around.variable(name).is_some());
    if has_key || has_other || is_machine_of(AMAZON_FIRMWARE) {
        return Ok(settings);
    }
    Err(BucketError::Credentials { reason: no_s3_credentials(&profile, general) })
}

/// The profile that counts, and whether a variable names it.
fn profile(around: Surroundings<'_>) -> (String, bool) {
    let named = around.variable("AWS_PROFILE").or_else(|| around.variable("AWS_DEFAULT_PROFILE"));
    (named.unwrap_or("default").to_owned(), named.is_some())
}

fn no_s3_credentials(profile: &str, general: Option<&Section>) -> String {
    let elsewhere = ["credential_process", "sso_session", "sso_start_url", "role_arn", "login_session"];
    match general.and_then(|section| elsewhere.iter().find(|key| section.contains_key(**key))) {
        Some(key) => format!(
            "the AWS profile {profile:?} has its credentials by {key}, which only Amazon's tools can do: \
             eval \"$(aws configure export-credentials --profile {profile} --format env)\" passes them on"
        ),
        None => "AWS_ACCESS_KEY_ID is not set, and no profile in ~/.aws has a key".to_owned(),
    }
}

/// Settings of Azure, later ones over earlier ones.
pub(super) fn azure(around: Surroundings<'_>) -> BucketResult<Vec<(AzureConfigKey, String)>> {
    let mut settings = Vec::new();
    let folder = around.file("AZURE_CONFIG_DIR", ".azure");
    let config = sections(folder.map(|folder| folder.join("config")));
    let storage = config.get("storage");
    let value = |variable: &str, key: &str| {
        let from_file = || storage.and_then(|section| section.get(key)).cloned();
        around.variable(variable).map(str::to_owned).or_else(from_file)
    };
    if let Some(text) = value("AZURE_STORAGE_CONNECTION_STRING", "connection_string") {
        connection_string(&text, &mut settings);
    }
    for (variable, key, setting) in [
        ("AZURE_STORAGE_ACCOUNT", "account", AzureConfigKey::AccountName),
        ("AZURE_STORAGE_KEY", "key", AzureConfigKey::AccessKey),
        ("AZURE_STORAGE_SAS_TOKEN", "sas_token", AzureConfigKey::SasKey),
    ] {
        settings.extend(value(variable, key).map(|value| (setting, value)));
    }
    for (name, value) in around.variables.iter().filter(|(name, _)| name.starts_with("AZURE_")) {
        if let Ok(key) = name.to_ascii_lowercase().parse::<AzureConfigKey>() {
            settings.push((key, value.clone()));
        }
    }
    let can_sign_in = |key: &AzureConfigKey| {
        !matches!(key, AzureConfigKey::AccountName | AzureConfigKey::Endpoint | AzureConfigKey::Client(_))
    };
    let has_account = settings.iter().any(|(key, _)| {
        matches!(key, AzureConfigKey::AccountName | AzureConfigKey::Endpoint | AzureConfigKey::UseEmulator)
    });
    if !has_account {
        let reason = "AZURE_STORAGE_ACCOUNT is not set, and ~/.azure/config has no [storage] account";
        return Err(BucketError::Credentials { reason: reason.to_owned() });
    }
    if settings.iter().any(|(key, _)| can_sign_in(key)) || is_machine_of(AZURE_FIRMWARE) {
        return Ok(settings);
    }
    let reason = "neither AZURE_STORAGE_KEY nor AZURE_STORAGE_SAS_TOKEN is set; AZURE_USE_AZURE_CLI=true asks `az`, \
                  when you are signed in there";
    Err(BucketError::Credentials { reason: reason.to_owned() })
}

/// Takes a connection string apart
/// (<https://learn.microsoft.com/azure/storage/common/storage-configure-connection-string>).
fn connection_string(text: &str, settings: &mut Vec<(AzureConfigKey, String)>) {
    let parts: BTreeMap<String, &str> = text
        .split(';')
        .filter_map(|part| part.split_once('='))
        .map(|(key, value)| (key.trim().to_ascii_lowercase(), value.trim()))
        .collect();
    let part = |key: &str| parts.get(key).map(|value| (*value).to_owned());
    let account = part("accountname");
    settings.extend(account.clone().map(|name| (AzureConfigKey::AccountName, name)));
    settings.extend(part("accountkey").map(|key| (AzureConfigKey::AccessKey, key)));
    settings.extend(part("sharedaccesssignature").map(|key| (AzureConfigKey::SasKey, key)));
    let made = || {
        let suffix = part("endpointsuffix")?;
        let protocol = part("defaultendpointsprotocol").unwrap_or_else(|| "https".to_owned());
        Some(format!("{protocol}://{}.blob.{suffix}", account.as_ref()?))
    };
    settings.extend(part("blobendpoint").or_else(made).map(|at| (AzureConfigKey::Endpoint, at)));
}

type Section = BTreeMap<String, String>;

/// The sections of a file of `[name]` and `key = value` lines; none when it cannot be read. Lines that
/// are indented belong to nested settings, which nothing here needs.
fn sections(path: Option<PathBuf>) -> BTreeMap<String, Section> {
    let mut all: BTreeMap<String, Section> = BTreeMap::new();
    let Some(path) = path else { return all };
    if fs::metadata(&path).map_or(true, |meta| meta.len() > FILE_BYTES_MAX) {
        return all;
    }
    let Ok(text) = fs::read_to_string(&path) else { return all };
    let mut current = None;
    for line in text.lines().filter(|line| !line.starts_with(['#', ';', ' ', '\t'])) {
        let line = line.trim_end();
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            current = Some(name.0.trim().to_owned());
            all.entry(name.0.trim().to_owned()).or_default();
        } else if let (Some(name), Some((key, value))) = (&current, line.split_once('=')) {
            let section = all.entry(name.clone()).or_default();
            section.insert(key.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    all
}

/// Whether this is a virtual machine of a cloud, which then gives out credentials itself. Elsewhere
/// nobody answers at that address, and asking would only take long.
fn is_machine_of((file, text): (&str, &str)) -> bool {
    fs::read_to_string(file).is_ok_and(|found| found.contains(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn home(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder above")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        folder
    }

    fn last<K: PartialEq>(settings: &[(K, String)], key: &K) -> Option<String> {
        settings.iter().rev().find(|(other, _)| other == key).map(|(_, value)| value.clone())
    }

    #[test]
    fn variables_go_before_the_profile_and_credentials_are_never_mixed() {
        let home = home(&[
            (
                ".aws/credentials",
                "# comment\n[default]\naws_access_key_id = FILE\naws_secret_access_key=fs\naws_session_token = ft\n\
                 [other]\naws_access_key_id = OTHER\naws_secret_access_key = os\n",
            ),
            (
                ".aws/config",
                "[default]\nregion = eu-central-1\ns3 =\n  max_concurrent_requests = 20\n[profile other]\n\
                 endpoint_url = http://127.0.0.1:9000\n",
            ),
        ]);
        let of = |pairs: &[(&str, &str)]| {
            let variables = variables(pairs);
            s3(Surroundings { variables: &variables, home: Some(home.path()) })
        };
        let plain = of(&[]).expect("settings");
        assert_eq!(last(&plain, &AmazonS3ConfigKey::AccessKeyId).as_deref(), Some("FILE"));
        assert_eq!(last(&plain, &AmazonS3ConfigKey::Token).as_deref(), Some("ft"));
        assert_eq!(last(&plain, &AmazonS3ConfigKey::Region).as_deref(), Some("eu-central-1"));
        let other = of(&[("AWS_PROFILE", "other"), ("AWS_DEFAULT_REGION", "x-1")]).expect("settings");
        assert_eq!(last(&other, &AmazonS3ConfigKey::AccessKeyId).as_deref(), Some("OTHER"));
        assert_eq!(last(&other, &AmazonS3ConfigKey::Endpoint).as_deref(), Some("http://127.0.0.1:9000"));
        assert_eq!(last(&other, &AmazonS3ConfigKey::Region).as_deref(), Some("x-1"));
        let given =
            of(&[("AWS_ACCESS_KEY_ID", "ENV"), ("AWS_SECRET_ACCESS_KEY", "es"), ("AWS_REGION", "y-2")])
                .expect("settings");
        assert_eq!(last(&given, &AmazonS3ConfigKey::AccessKeyId).as_deref(), Some("ENV"));
        assert_eq!(last(&given, &AmazonS3ConfigKey::Token), None, "the file's token belongs to its own key");
        assert_eq!(last(&given, &AmazonS3ConfigKey::Region).as_deref(), Some("y-2"));
        assert!(of(&[("AWS_PROFILE", "unknown")]).is_err());
    }

    #[test]
    fn without_credentials_it_says_what_is_missing_and_asks_nobody() {
        let nothing = home(&[]);
        let nowhere = Surroundings { variables: &[], home: Some(nothing.path()) };
        if !is_machine_of(AMAZON_FIRMWARE) {
            let error = s3(nowhere).expect_err("no credentials").to_string();
            assert!(error.contains("AWS_ACCESS_KEY_ID"), "{error}");
        }
        let error = azure(nowhere).expect_err("no account").to_string();
        assert!(error.contains("AZURE_STORAGE_ACCOUNT"), "{error}");
        let sso = home(&[(".aws/config", "[default]\nsso_session = work\n")]);
        if !is_machine_of(AMAZON_FIRMWARE) {
            let around = Surroundings { variables: &[], home: Some(sso.path()) };
            let error = s3(around).expect_err("no key").to_string();
            assert!(error.contains("export-credentials"), "{error}");
        }
    }

    #[test]
    fn azure_reads_connection_strings_variables_and_its_own_file() {
        let nothing = home(&[]);
        let text = "DefaultEndpointsProtocol=https;AccountName=studio;AccountKey=c2VjcmV0==;\
                    EndpointSuffix=core.windows.net";
        let given = variables(&[("AZURE_STORAGE_CONNECTION_STRING", text)]);
        let found = azure(Surroundings { variables: &given, home: Some(nothing.path()) }).expect("settings");
        assert_eq!(last(&found, &AzureConfigKey::AccountName).as_deref(), Some("studio"));
        assert_eq!(last(&found, &AzureConfigKey::AccessKey).as_deref(), Some("c2VjcmV0=="));
        let endpoint = last(&found, &AzureConfigKey::Endpoint);
        assert_eq!(endpoint.as_deref(), Some("https://studio.blob.core.windows.net"));
        let filed = home(&[(".azure/config", "[storage]\naccount = filed\nkey = a2V5\n")]);
        let given = variables(&[("AZURE_STORAGE_KEY", "b3RoZXI=")]);
        let found = azure(Surroundings { variables: &given, home: Some(filed.path()) }).expect("settings");
        assert_eq!(last(&found, &AzureConfigKey::AccountName).as_deref(), Some("filed"));
        assert_eq!(last(&found, &AzureConfigKey::AccessKey).as_deref(), Some("b3RoZXI="));
    }
}
