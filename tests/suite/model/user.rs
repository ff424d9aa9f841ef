//! What a person does to files without the program.

use super::steps::{PATHS, Step};
use super::things::{Files, Thing, collide, edited, edited_in_place, is_below, stock};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A worktree and its model, changed together.
pub struct Hand<'a> {
    pub root: &'a Path,
    pub files: &'a mut Files,
}

impl Hand<'_> {
    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    fn name_of(at: u8) -> String {
        PATHS[usize::from(at) % PATHS.len()].to_owned()
    }

    /// The nth file, the rules of what is ignored excepted.
    fn nth(&self, nth: u8) -> Option<String> {
        nth_of(self.files, nth)
    }

    /// The folder in which the nth file lies.
    fn nth_folder(&self, nth: u8) -> Option<String> {
        nth_folder(self.files, nth)
    }

    /// Clears a place and whatever is in its way, as somebody would who means it.
    fn make_room(&mut self, path: &str) {
        self.files.retain(|other, _| other != path && !collide(other, path));
        let mut above = path;
        while let Some((folder, _)) = above.rsplit_once('/') {
            above = folder;
            let place = self.at(folder);
            if place.symlink_metadata().is_ok_and(|found| !found.is_dir()) {
                fs::remove_file(place).expect("a removed file");
            }
        }
        let place = self.at(path);
        match place.symlink_metadata() {
            Ok(found) if found.is_dir() => fs::remove_dir_all(&place).expect("a removed folder"),
            Ok(_) => fs::remove_file(&place).expect("a removed file"),
            Err(_) => {}
        }
        fs::create_dir_all(place.parent().expect("a parent")).expect("folders");
    }

    fn put(&mut self, path: &str, thing: Thing) {
        self.make_room(path);
        match &thing {
            Thing::File { bytes, executable } => {
                fs::write(self.at(path), bytes.as_slice()).expect("a written file");
                self.set_mode(path, *executable);
            }
            Thing::Link(target) => {
                let target = std::ffi::OsStr::from_bytes(target);
                std::os::unix::fs::symlink(target, self.at(path)).expect("a link");
            }
        }
        self.files.insert(path.to_owned(), thing);
    }

    fn set_mode(&self, path: &str, executable: bool) {
        let mode = if executable { 0o755 } else { 0o644 };
        fs::set_permissions(self.at(path), fs::Permissions::from_mode(mode)).expect("a mode");
    }

    /// Changes the bytes of a file in place.
    fn rewrite(&mut self, nth: u8, keep_times: bool, change: impl Fn(&[u8]) -> Option<Vec<u8>>) {
        let Some(path) = self.nth(nth) else { return };
        let Some(Thing::File { bytes, executable }) = self.files.get(&path).cloned() else { return };
        let Some(new) = change(&bytes) else { return };
        let place = self.at(&path);
        let modified = place.metadata().expect("a file").modified().expect("a time");
        fs::write(&place, &new).expect("a written file");
        if keep_times {
            let file = fs::File::options().write(true).open(&place).expect("a file");
            file.set_modified(modified).expect("an old time");
        }
        self.files.insert(path, Thing::File { bytes: Arc::new(new), executable });
    }

    fn rename(&mut self, from: &str, to: &str) {
        if from == to || collide(from, to) {
            return;
        }
        let Some(thing) = self.files.get(from).cloned() else { return };
        self.make_room(to);
        if self.files.remove(from).is_none() {
            return;
        }
        fs::rename(self.at(from), self.at(to)).expect("a renamed file");
        self.files.insert(to.to_owned(), thing);
    }

    fn rename_folder(&mut self, from: &str, to: &str) {
        if from == to || collide(from, to) {
            return;
        }
        self.make_room(to);
        if !self.at(from).is_dir() {
            return;
        }
        fs::rename(self.at(from), self.at(to)).expect("a renamed folder");
        let inside: Vec<String> = self.files.keys().filter(|path| is_below(path, from)).cloned().collect();
        for path in inside {
            let thing = self.files.remove(&path).expect("a thing");
            self.files.insert(format!("{to}{}", &path[from.len()..]), thing);
        }
    }

    /// Does one step; `false` when it is none of a person's own.
    pub fn act(&mut self, step: &Step) -> bool {
        match *step {
            Step::Write { at, content } => self.put(&Self::name_of(at), Thing::file(stock(content))),
            Step::Edit { nth, seed } => self.rewrite(nth, false, |bytes| Some(edited(bytes, seed))),
            Step::EditQuietly { nth, seed } => {
                self.rewrite(nth, true, |bytes| edited_in_place(bytes, seed));
            }
            Step::Touch { nth } => self.rewrite(nth, false, |bytes| Some(bytes.to_vec())),
            Step::Remove { nth } => {
                if let Some(path) = self.nth(nth) {
                    fs::remove_file(self.at(&path)).expect("a removed file");
                    self.files.remove(&path);
                }
            }
            Step::RemoveFolder { nth } => {
                if let Some(folder) = self.nth_folder(nth) {
                    fs::remove_dir_all(self.at(&folder)).expect("a removed folder");
                    self.files.retain(|path, _| !is_below(path, &folder));
                }
            }
            Step::Rename { nth, at } => {
                if let Some(from) = self.nth(nth) {
                    self.rename(&from, &Self::name_of(at));
                }
            }
            Step::RenameFolder { nth, at } => {
                if let Some(from) = self.nth_folder(nth) {
                    self.rename_folder(&from, &Self::name_of(at));
                }
            }
            Step::Copy { nth, at } => {
                if let Some(from) = self.nth(nth) {
                    let (thing, to) = (self.files[&from].clone(), Self::name_of(at));
                    if from != to {
                        self.put(&to, thing);
                    }
                }
            }
            Step::Mode { nth } => {
                let Some(path) = self.nth(nth) else { return true };
                if let Some(Thing::File { executable, .. }) = self.files.get_mut(&path) {
                    *executable = !*executable;
                    let executable = *executable;
                    self.set_mode(&path, executable);
                }
            }
            Step::Link { at, target } => {
                let target = format!("../{}", Self::name_of(target)).into_bytes();
                self.put(&Self::name_of(at), Thing::Link(target));
            }
            _ => return false,
        }
        true
    }
}

/// The nth file that stories may touch.
pub fn nth_of(files: &Files, nth: u8) -> Option<String> {
    let names: Vec<&String> = files.keys().filter(|path| *path != ".pentignore").collect();
    (!names.is_empty()).then(|| names[usize::from(nth) % names.len()].clone())
}

/// The folder of the nth file.
pub fn nth_folder(files: &Files, nth: u8) -> Option<String> {
    Some(nth_of(files, nth)?.rsplit_once('/')?.0.to_owned())
}
