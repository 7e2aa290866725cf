//! Who is told of what happens: `--notify FILE` for every verb, and `sealift notify`.
//!
//! A verb never fails because somebody could not be told: that is said on standard error, and tried
//! again with the next one.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinHandle;

use super::args::Notify;
use super::exit::{Failure, Outcome};
use super::output::Output;
use super::settings::Settings;
use crate::notify::{Notifier, NotifyError};

/// How often somebody is told while a verb works.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// Tells while a verb works, and once more when it is done.
pub(super) struct Watch {
    notifier: Arc<Notifier>,
    task: JoinHandle<()>,
}

impl Watch {
    /// Reads the notify file, if one is named, before anything is done.
    pub(super) async fn begin(settings: &Settings) -> Result<Option<Self>, Failure> {
        let Some(notifier) = read(settings)? else { return Ok(None) };
        // Where there is no vault yet, there is nothing to be told of.
        if let Ok(vault) = settings.open_vault().await {
            notifier.begin(vault.as_ref()).await.map_err(untold)?;
        }
        let (watching, settings) = (Arc::clone(&notifier), settings.clone());
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(TELL_EVERY).await;
                tell(&watching, &settings).await;
            }
        });
        Ok(Some(Self { notifier, task }))
    }

    /// Tells what is left.
    pub(super) async fn end(self, settings: &Settings) {
        self.task.abort();
        let _ = self.task.await;
        tell(&self.notifier, settings).await;
    }
}

async fn tell(notifier: &Notifier, settings: &Settings) {
    let Ok(vault) = settings.open_vault().await else { return };
    if let Err(error) = notifier.tell(vault.as_ref()).await {
        let error = crate::serve::chain(&error);
        super::output::note(format!("sealift: {error}; it is tried again with the next command"));
    }
}

/// `sealift notify`: tells now what was not told yet, or tries the hooks out.
pub(super) async fn notify(
    settings: &Settings,
    out: &Output,
    typed: Notify,
) -> Result<Outcome, Failure> {
    let notifier = read(settings)?.ok_or_else(|| {
        Failure::failed("no notify file is named")
            .hint("name it: `--notify FILE`, or set SEALIFT_NOTIFY; docs/ALERTS.md describes it")
    })?;
    let vault = settings.open_vault().await?;
    if typed.try_out {
        let hooks = notifier.try_out(vault.as_ref()).await.map_err(untold)?;
        out.object(&json!({"tried": hooks}));
        out.line(format!("{} told, as a trial", crate::words::counted(hooks, "hook", "hooks")));
    } else {
        let told = notifier.tell(vault.as_ref()).await.map_err(untold)?;
        out.object(&json!({"alerts": told.alerts, "anchored": told.anchored}));
        out.line(format!(
            "{} told, {} anchored",
            crate::words::counted(told.alerts, "alert", "alerts"),
            crate::words::counted(told.anchored, "checkpoint", "checkpoints")
        ));
    }
    out.next("a steward", "sealift status");
    Ok(Outcome::Done)
}

fn read(settings: &Settings) -> Result<Option<Arc<Notifier>>, Failure> {
    let notifier = settings.notify.as_deref().map(Notifier::read).transpose();
    Ok(notifier.map_err(untold)?.map(Arc::new))
}

fn untold(error: NotifyError) -> Failure {
    let hint = match &error {
        NotifyError::File { .. } => "check `--notify` and SEALIFT_NOTIFY",
        NotifyError::Config { .. } => "docs/ALERTS.md describes what a notify file holds",
        NotifyError::Vault(_) => "check `--vault`",
        _ => "check the address, the command or the file of that place",
    };
    Failure::failed(error).hint(hint)
}
