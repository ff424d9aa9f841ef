//! Scenes that are told and not drawn: USD in all its forms, as Pixar's own library counts what is in it (scenes and
//! counts are made by `fixtures/make/scenes.py`), and FBX in both of its forms, as Assimp does.

use crate::seeing_support::{facts, said as told_by, studio};
use pentimento::media::facts::Facts;
use serde_json::Value;
use std::path::{Path, PathBuf};

fn scene(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/scenes").join(name)
}

fn sorted(list: &[String]) -> Vec<String> {
    let mut list = list.to_vec();
    list.sort();
    list
}

fn said(facts: &Facts, name: &str) -> String {
    let field = facts.embedded.iter().find(|field| field.group == "usd" && field.name == name);
    field.map(|field| field.value.clone()).unwrap_or_default()
}

#[test]
fn scenes_contain_what_the_library_of_their_format_counts() {
    let text = std::fs::read_to_string(scene("quay.json")).expect("the counts");
    let counts: Value = serde_json::from_str(&text).expect("JSON");
    let number = |name: &str| counts[name].as_u64().expect("a number");
    let list = |name: &str| -> Vec<String> {
        counts[name]
            .as_array()
            .expect("a list")
            .iter()
            .map(|it| it.as_str().expect("a text").to_owned())
            .collect()
    };
    for name in ["quay.usda", "quay.usdc", "quay-old.usdc", "quay.usdz"] {
        let found = facts(&scene(name));
        assert!(found.notes.is_empty(), "{name}: {:?}", found.notes);
        let told = found.scene.as_ref().expect("a scene");
        // The old form cannot say two things that the new one does: a prim less, and a file less.
        let less = u64::from(name == "quay-old.usdc");
        assert_eq!(told.nodes, number("nodes") - less, "{name}");
        assert_eq!(
            (told.meshes, told.faces, told.vertices),
            (number("meshes"), number("faces"), number("vertices")),
            "{name}"
        );
        assert_eq!(said(&found, "cameras"), counts["cameras"].to_string(), "{name}");
        assert_eq!(said(&found, "lights"), counts["lights"].to_string(), "{name}");
        assert_eq!(sorted(&told.materials), list("materials"), "{name}");
        assert_eq!(sorted(&told.animations), list("animations"), "{name}");
        assert_eq!(sorted(&told.textures), list("textures"), "{name}");
        let mut needs = list("needs");
        // What is packed along is there.
        needs.retain(|file| name != "quay.usdz" || file != "textures/oak.png");
        needs.retain(|file| less == 0 || file != "crate.usd");
        assert_eq!(sorted(&found.needs), needs, "{name}");
        for field in ["upAxis", "defaultPrim"] {
            assert_eq!(said(&found, field), counts[field].as_str().expect("a text"), "{name}");
        }
        for field in ["metersPerUnit", "startTimeCode", "endTimeCode", "timeCodesPerSecond"] {
            assert_eq!(said(&found, field).parse().ok(), counts[field].as_f64(), "{name} {field}");
        }
    }
}

#[test]
fn scenes_in_words_contain_what_they_do_packed() {
    let folder = tempfile::tempdir().expect("a folder");
    let glb = studio("v1/model/lantern.glb");
    let [text, packed] = [("a.fbx", "-ffbxa"), ("b.fbx", "-ffbx")].map(|(name, form)| {
        let to = folder.path().join(name);
        told_by("assimp", &["export".as_ref(), glb.as_os_str(), to.as_os_str(), form.as_ref()]);
        to
    });
    let (words, binary) = (facts(&text), facts(&packed));
    assert!(std::fs::read(&text).expect("read").starts_with(b"; FBX 7.5"));
    assert!(words.notes.is_empty(), "{:?}", words.notes);
    let scene = words.scene.as_ref().expect("a scene");
    assert_eq!(words.scene, binary.scene);
    assert_eq!((words.needs, words.contains), (binary.needs, binary.contains));
    let counted = told_by("assimp", &["info".as_ref(), text.as_os_str()]);
    let row = |name: &str| {
        let line = counted.lines().find(|line| line.starts_with(name)).expect("a row");
        line[name.len()..].trim().parse::<u64>().expect("a number")
    };
    assert_eq!((scene.meshes, scene.faces), (row("Meshes:"), row("Faces:")));
    let field =
        |name: &str| words.embedded.iter().find(|field| field.name == name).map(|field| field.value.clone());
    assert_eq!(field("Version").as_deref(), Some("7.5"));
    assert!(field("Creator").is_some_and(|creator| creator.contains("Assimp")));
}

/// Before version 7 shapes stand in the things that have them, and lists go on over lines.
#[test]
fn old_scenes_in_words_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("old.fbx");
    let text = "; FBX 6.1.0 project file\nFBXHeaderExtension:  {\n\tFBXVersion: 6100\n\tCreator: \"Header\"\n}\n\
        Creator: \"Studio &quot;9&quot;\"\nObjects:  {\n\tModel: \"Model::Hull\", \"Mesh\" {\n\t\tVersion: 232\n\
        \t\tVertices: 0,0,0,1,0,0\n\t\t,1,1,0,0,1,-5\n\t\tPolygonVertexIndex: 0,1,-3,0\n\t\t,2,-4\n\t\tEdges: -1,-2\n\t}\n\
        \tModel: \"Model::Camera\", \"Camera\" {\n\t}\n\tMaterial: \"Material::Tar; and {rope}\", \"\" {\n\t}\n\
        \tVideo: \"Video::sail\", \"Clip\" {\n\t\tRelativeFilename: \"sail.png\"\n\t}\n\
        \tVideo: \"Video::in\", \"Clip\" {\n\t\tRelativeFilename: \"in.png\"\n\t\tContent: ,\n\t\"AAECAwQF\"\n\t}\n}\n\
        Takes:  {\n\tVertices: 1,2,3\n}\n";
    std::fs::write(&path, text).expect("written");
    let found = facts(&path);
    let scene = found.scene.expect("a scene");
    assert_eq!((scene.nodes, scene.meshes, scene.vertices, scene.faces), (2, 1, 4, 2));
    assert_eq!(
        (scene.materials, found.needs),
        (vec!["Tar; and {rope}".to_owned()], vec!["sail.png".to_owned()])
    );
    assert_eq!((found.contains[0].name.as_str(), found.contains[0].size), ("in.png", 6));
    let said: Vec<_> = found.embedded.iter().map(|field| field.value.as_str()).collect();
    assert_eq!(said, ["6.1", "Studio \"9\""]);
}
