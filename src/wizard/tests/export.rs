use super::*;

fn ready() -> State {
    in_review(plan(), |c| reviewed(c, Verdict::New))
}

#[test]
fn the_review_is_exported_to_a_folder_of_the_contexts_name() {
    let mut state = ready();
    assert!(keys(&mut state, "e").is_empty());
    let dialog = state.dialog.clone().unwrap();
    let folder = dialog.input.clone().unwrap();
    assert!(folder.starts_with("./meshscrape-"), "{folder}");
    let safe = |c: char| c.is_ascii_alphanumeric() || "./-_".contains(c);
    assert!(folder.chars().all(safe), "{folder}");
    let effects = keys(&mut state, "x enter");
    let [
        Effect::Export {
            folder: asked,
            overwrite: false,
            review,
            ..
        },
    ] = &effects[..]
    else {
        panic!("{effects:?}");
    };
    assert_eq!(asked.to_str().unwrap(), format!("{folder}x"));
    assert_eq!(review.plan.changes.len(), plan().changes.len());
    update(
        &mut state,
        Msg::Exported(
            asked.clone(),
            Ok(vec![
                "5 files written to here; begin with README.md.".into(),
            ]),
        ),
    );
    let told = state.dialog.clone().unwrap();
    assert!(told.lines[0].starts_with("5 files"), "{told:?}");
    assert!(keys(&mut state, "enter").is_empty());
    assert!(state.dialog.is_none());
}

#[test]
fn what_goes_wrong_stands_over_the_name_and_only_an_export_is_replaced() {
    let mut state = ready();
    let effects = keys(&mut state, "e enter");
    let [Effect::Export { folder, .. }] = &effects[..] else {
        panic!("{effects:?}");
    };
    let error = Error::new("the folder x is a file")
        .cause("not a folder")
        .hint("name another");
    update(&mut state, Msg::Exported(folder.clone(), Err(error)));
    let dialog = state.dialog.clone().unwrap();
    assert_eq!(dialog.input.as_deref(), folder.to_str());
    assert_eq!(
        dialog.lines,
        [
            "the folder x is a file".to_owned(),
            say::cause("not a folder"),
            say::to_try("name another"),
        ]
    );
    assert_eq!(dialog.buttons.len(), 2);
    keys(&mut state, "enter");
    let error = Error::new("the folder x is not empty").tells(crate::error::Tells::FolderTaken);
    update(&mut state, Msg::Exported(folder.clone(), Err(error)));
    let effects = keys(&mut state, "tab enter");
    assert!(
        matches!(
            effects[..],
            [Effect::Export {
                overwrite: true,
                ..
            }]
        ),
        "{effects:?}"
    );
    assert!(state.dialog.is_none());
}

#[test]
fn nothing_is_exported_before_the_review_is_whole_or_of_an_undo() {
    let mut state = started(shop());
    keys(
        &mut state,
        "enter enter down space enter a enter enter enter",
    );
    tell_plan(&mut state, plan());
    assert_eq!(state.step, Step::Review);
    assert!(state.export_refused().is_some());
    keys(&mut state, "e");
    assert!(state.dialog.is_none());
    let mut state = ready();
    assert_eq!(state.export_refused(), None);
    state.review.undoes = Some("r1".into());
    assert!(state.export_refused().is_some());
}

#[test]
fn an_empty_name_is_asked_again() {
    let mut state = ready();
    keys(&mut state, "e");
    state.dialog.as_mut().unwrap().input = Some("  ".into());
    assert!(keys(&mut state, "enter").is_empty());
    assert!(
        state
            .dialog
            .clone()
            .unwrap()
            .input
            .unwrap()
            .starts_with("./")
    );
}
