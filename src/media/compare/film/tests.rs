use super::*;

/// A bright block that moves over a ground that slowly changes.
fn frame(number: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    for y in 0..18u32 {
        for x in 0..32u32 {
            let inside = (x + 32 - number % 32) % 32 < 5 && (4..9).contains(&y);
            let ground = ((x * 5 + y * 3 + number * 2) % 90 + 30) as u8;
            bytes.extend(if inside { [230, 220, 60] } else { [ground, ground / 2 + 20, 120] });
        }
    }
    bytes
}

fn film(frames: &[Vec<u8>]) -> Frames {
    let mut film = Frames::new((32, 18), 25.0);
    frames.iter().for_each(|frame| film.push(frame));
    film
}

/// A span: what happened, and its frames before and after.
type Told = (SpanKind, (u64, u64), (u64, u64));

fn told(before: &[Vec<u8>], after: &[Vec<u8>]) -> Vec<Told> {
    let diff = compare_films(&film(before), &film(after), true, Sensitivity::default());
    assert_eq!(diff.frames.iter().filter(|it| it.before.is_some()).count(), before.len());
    assert_eq!(diff.frames.iter().filter(|it| it.after.is_some()).count(), after.len());
    assert_eq!((diff.same_frames + diff.changed_frames) as usize, diff.frames.len());
    diff.spans.into_iter().map(|span| (span.kind, span.frames_before, span.frames_after)).collect()
}

/// The same with the noise of another packing.
fn noisy(frames: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut state = 7u32;
    let mut noise = move |value: &u8| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        value.saturating_add_signed((state >> 29) as i8 - 3)
    };
    frames.iter().map(|frame| frame.iter().map(&mut noise).collect()).collect()
}

#[test]
fn frames_that_are_gone_new_and_other_are_found_where_they_are_and_nothing_else() {
    let whole: Vec<Vec<u8>> = (0..60).map(frame).collect();
    assert_eq!(told(&whole, &whole), []);
    assert_eq!(told(&whole, &noisy(&whole)), []);
    let without = [&whole[..20], &whole[35..]].concat();
    assert_eq!(told(&whole, &without), [(SpanKind::Removed, (20, 35), (20, 20))]);
    assert_eq!(told(&without, &whole), [(SpanKind::Added, (20, 20), (20, 35))]);
    let one_gone = [&whole[..30], &whole[31..]].concat();
    assert_eq!(told(&whole, &noisy(&one_gone)), [(SpanKind::Removed, (30, 31), (30, 30))]);
    let mut other = whole.clone();
    for frame in &mut other[10..14] {
        for y in 12..16 {
            for x in 20..26 {
                frame[(y * 32 + x) * 3..][..3].copy_from_slice(&[200, 10, 10]);
            }
        }
    }
    let diff = compare_films(&film(&whole), &film(&noisy(&other)), true, Sensitivity::default());
    assert_eq!(diff.spans.len(), 1, "{:?}", diff.spans);
    let span = &diff.spans[0];
    assert_eq!((span.kind, span.frames_before, span.frames_after), (SpanKind::Changed, (10, 14), (10, 14)));
    let [left, top, width, height] = span.area.expect("an area");
    assert!((left - 20.0 / 32.0).abs() < 0.001 && (width - 6.0 / 32.0).abs() < 0.001, "{:?}", span.area);
    assert!((top - 12.0 / 18.0).abs() < 0.001 && (height - 4.0 / 18.0).abs() < 0.001, "{:?}", span.area);
    assert_eq!(diff.changed_frames, 4);
}

#[test]
fn long_films_are_laid_on_each_other_near_a_coarse_way() {
    let whole: Vec<Vec<u8>> = (0..1500).map(|it| frame(it * 7)).collect();
    let without = [&whole[..400], &whole[520..]].concat();
    assert_eq!(told(&whole, &without), [(SpanKind::Removed, (400, 520), (400, 400))]);
}

#[test]
fn rates_are_those_of_the_slower_film_and_long_ones_are_thinned() {
    assert!((common_rate([Some(25.0), Some(50.0)], [3.0, 3.0]) - 25.0).abs() < 1e-9);
    assert!((common_rate([None, None], [3.0, 3.0]) - 25.0).abs() < 1e-9);
    assert!((common_rate([Some(25.0), Some(25.0)], [600.0, 3.0]) - 12.5).abs() < 1e-9);
}

#[test]
fn films_without_frames_have_no_spans() {
    assert_eq!(told(&[], &[]), []);
    assert_eq!(told(&[], &[frame(1)]), [(SpanKind::Added, (0, 0), (0, 1))]);
}
